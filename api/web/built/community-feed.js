const STATIC_FILES=new URL("../static/",import.meta.url).href;
var B=`
  position { epoch offset }
  pageInfo { endCursor hasNextPage }
  edges { node { id type createdAt actor { id name } data highFives highFived @include(if: $mine) } }`,F=`query Community($after: String, $mine: Boolean!) {
  feed: communityFeed(first: 20, after: $after) { ${B} }
}`,we=`query Dashboard($after: String, $mine: Boolean!) {
  feed: dashboard(first: 10, after: $after) { ${B} }
}`;var V="http://www.w3.org/2000/svg",D={workout:"M2 12h2m16 0h2M6 7v10M9 5v14M15 5v14M18 7v10M9 12h6",level:"M5 14l7-8 7 8M5 20l7-8 7 8",medal:"M12 14a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11Zm-3.4-1L7 21l5-2.6L17 21l-1.6-8",flame:"M13.5 3c.6 3.4 4.5 5.2 4.5 10.2A6.1 6.1 0 0 1 12 21a6.1 6.1 0 0 1-6-6.3c0-3 2-4.4 2.6-7.2 1.7.8 2.6 2 2.7 3.7C13 9.2 14 6.5 13.5 3Z",trophy:"M8 4h8v5.5a4 4 0 0 1-8 0V4Zm0 1.5H4.5V7A3.5 3.5 0 0 0 8 10.5m8-5h3.5V7a3.5 3.5 0 0 1-3.5 3.5M12 13.5V18m-4 2.5h8",flag:"M6 21V4m0 .5h12l-2.5 4 2.5 4H6",hand:"M7 12V6m3 5V4m3 7V4m3 8V6m0 6v3a6 6 0 0 1-11 3l-2-4 2-1 2 2",person:"M12 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8Zm-7.5 10c0-4.2 3.3-6.5 7.5-6.5s7.5 2.3 7.5 6.5",coin:"M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17ZM8.5 12h7M12 8.5v7"};function A(i){let t=document.createElementNS(V,"svg");t.setAttribute("viewBox","0 0 24 24"),t.setAttribute("aria-hidden","true");let e=document.createElementNS(V,"path");return e.setAttribute("d",D[i]??D.workout),e.setAttribute("fill","none"),e.setAttribute("stroke","currentColor"),e.setAttribute("stroke-width","2"),e.setAttribute("stroke-linecap","round"),e.setAttribute("stroke-linejoin","round"),t.append(e),t}var T=new Intl.NumberFormat("en"),dt=new Intl.RelativeTimeFormat("en",{numeric:"auto",style:"short"}),O=2,ut=new Map([["workout_completed","workout"],["level_up","level"],["milestone_achieved","milestone"],["challenge_completed","challenge"],["high_five","high five"]]),ft=new Map([["workout_completed","For a workout"],["level_up","For a new level"],["milestone_achieved","For a milestone"],["challenge_completed","For a challenge"]]),pt=[["year",31536e3],["month",2592e3],["week",604800],["day",86400],["hour",3600],["minute",60]],a=(i,t,e=`${t}s`)=>`${T.format(i)} ${i===1?t:e}`,l=i=>T.format(Math.round(i));function v(i,t=Date.now()){let e=(t-Date.parse(i))/1e3;for(let[s,n]of pt)if(e>=n)return dt.format(-Math.floor(e/n),s);return"just now"}function C(i){let t=i.actor?.name,e=i.data??{},s=(o,r)=>t?`${t} ${o}`:r,n=t??"Somebody";switch(i.type){case"workout_completed":{let o=e.focus?.name?`${e.focus.name} workout`:"Workout finished";return{title:s("finished a workout",o),detail:_t(e)}}case"level_up":return{title:s("reached a new level","New level reached"),detail:bt(e)};case"milestone_achieved":return{title:s("reached a milestone","Milestone reached"),detail:yt(e)};case"challenge_completed":return{title:s("completed a challenge","Challenge completed"),detail:kt(e)};case"high_five":return{title:`${n} gave you a high five`,detail:W(e)};case"follow_requested":return{title:`${n} asks to follow you`,detail:""};case"followed":return{title:`${n} follows you`,detail:""};case"credits_granted":return{title:"You were given credits",detail:vt(e)};default:return{title:String(i.type).replaceAll("_"," "),detail:t??""}}}function H({kind:i,events:t}){let[e]=t;if(i==="workouts"||i==="minute"){let o=mt(t.map(r=>r.data?.focus?.name??"Other"));return{title:a(t.length,"workout"),detail:gt(o)}}if(i==="deeds"){let o=t.map(h=>C(h).detail).filter(Boolean);return{title:`${e.actor?.name??"Somebody"} reached ${a(t.length,"goal")}`,detail:o.join(" \xB7 ")}}let s=wt(t.map(o=>o.actor?.name??"Somebody"));if(i==="followers")return{title:`${s} follow you`,detail:""};let n=[...new Set(t.map(o=>W(o.data??{})))].filter(Boolean);return{title:`${s} gave you ${a(t.length,"high five")}`,detail:n.join(" \xB7 ")}}function U(i){return Object.entries(i).sort(([,e],[,s])=>s-e).map(([e,s])=>a(s,ut.get(e)??e.replaceAll("_"," "))).join(", ")}function mt(i){let t=new Map;for(let e of i)t.set(e,(t.get(e)??0)+1);return[...t].sort(([,e],[,s])=>s-e)}var gt=i=>i.map(([t,e])=>`${t} ${l(e)}`).join(", ");function wt(i){let t=[...new Set(i)],e=t.length-O;return e<=0?t.join(" and "):`${t.slice(0,O).join(", ")} and ${a(e,"other")}`}var bt=({level:i})=>c(i)?`Level ${l(i)}`:"",vt=({credits:i})=>c(i)?a(i,"credit"):"",W=({event_type:i})=>ft.get(i??"")??"";function yt({kind:i,value:t,exercise:e}){if(!c(t))return"";if(i==="workouts")return a(t,"workout");if(i==="streak")return`${a(t,"day")} in a row`;let s=typeof e=="string"?`${e.replaceAll("-"," ")}, `:"";return i==="record"?`Record: ${s}${T.format(t)} kg`:""}function kt({challenge:i,reward_xp:t}){let e=i?.name??i?.slug;return[...e?[e]:[],...c(t)?[`${l(t)} XP`]:[]].join(" \xB7 ")}function _t({v:i,exercise_count:t,total_tu:e,exercises:s}){if(i===2){let o=[];return c(t)&&o.push(t>1?`${l(t)} or more exercises`:"one or two exercises"),c(e)&&e>0&&o.push(`over ${l(e)} training units`),o.join(" \xB7 ")}let n=c(e)?[`${l(e)} training units`]:[];if(Array.isArray(s)&&s.length){let o=s.slice(0,O).map(h=>h?.name??h?.slug??"an exercise"),r=s.length-o.length;n.push(o.join(", ")+(r?` and ${l(r)} more`:""))}return n.join(" \xB7 ")}function c(i){return Number.isFinite(i)}var y=i=>i instanceof Error?i.message:String(i);var Y={workout_completed:()=>({icon:"workout",tone:"accent"}),level_up:({level:i})=>({icon:"level",tone:"grape",badge:u(i)}),milestone_achieved:St,challenge_completed:({reward_xp:i})=>({icon:"flag",tone:"cool",badge:u(i,"+")}),high_five:()=>({icon:"hand",tone:"warm"}),follow_requested:()=>({icon:"person",tone:"soft"}),followed:()=>({icon:"person",tone:"soft"}),credits_granted:({credits:i})=>({icon:"coin",tone:"warm",badge:u(i,"+")})},Et={workouts:{icon:"workout",tone:"accent"},minute:{icon:"workout",tone:"accent"},deeds:{icon:"medal",tone:"grape"},high_fives:{icon:"hand",tone:"warm"},followers:{icon:"person",tone:"soft"}};function q({type:i,data:t}){let e=Object.hasOwn(Y,i)?Y[i]:null;return e?e(t??{}):{icon:"workout",tone:"soft"}}var z=({kind:i,events:t})=>({...Et[i],badge:u(t.length)});function St({kind:i,value:t}){return i==="streak"?{icon:"flame",tone:"warm",badge:u(t)}:i==="record"?{icon:"trophy",tone:"rose"}:{icon:"medal",tone:"cool",badge:u(t)}}var u=(i,t="")=>c(i)?t+l(i):void 0;var xt=new Set(["level_up","milestone_achieved","challenge_completed"]),Mt=new Set(["high_five","followed","follow_requested","credits_granted"]);function K(i,t){let e=document.createElement("li");e.dataset.id=i.id,e.dataset.type=i.type;let s=document.createElement("div");return X(s,C(i),q(i),i.created_at),s.classList.toggle("big",xt.has(i.type)),Mt.has(i.type)||s.append(...At(i,t)),e.append(s),e}function G(i,t){let e=document.createElement("li");e.className="pile";let s=document.createElement("details"),n=document.createElement("summary"),o=document.createElement("ol");return o.setAttribute("role","list"),s.append(n,o),s.addEventListener("toggle",()=>o.replaceChildren(...s.open?i.events.map(t):[])),e.append(s),R(e,i,t),e}function R(i,t,e){let[s,n,o]=["details","summary","ol"].map(r=>i.querySelector(r));!n||!o||(X(n,H(t),z(t),t.events[0].created_at),s?.hasAttribute("open")&&o.replaceChildren(...t.events.map(e)))}function X(i,{title:t,detail:e},{icon:s,tone:n,badge:o},r){let h=f("span","picture");if(h.append(A(s)),o){let j=f("span","badge",o);j.ariaHidden="true",h.append(j)}let d=document.createElement("time");d.setAttribute("part","time"),d.dateTime=r,d.textContent=v(r),d.title=new Date(r).toLocaleString("en"),i.className=`row ${n}`,i.setAttribute("part","row"),i.replaceChildren(h,f("span","title",t),d),e&&i.append(f("span","detail",e))}function At(i,t){let e=f(t?"button":"span","five"),s=()=>{let n=i.highFives??0;e.replaceChildren(A("hand"),f("span","unseen",Ot(i)),...n?[l(n)]:[]),t&&e.setAttribute("aria-pressed",String(!!i.highFived))};return s(),t?(e.setAttribute("type","button"),e.addEventListener("click",async()=>{i.highFived||e.ariaBusy==="true"||(e.ariaBusy="true",await t(i)&&s(),e.ariaBusy="false")}),[e]):i.highFives?[e]:[]}function Ot({highFives:i=0,highFived:t}){return t||!i?"High five":`High five; so far ${a(i,"person","people")} sent one:`}function f(i,t,e=""){let s=document.createElement(i);return s.className=t,s.setAttribute("part",t),s.textContent=e,s}var J={workouts:{least:5,withinMs:4e3},minute:{least:10,withinMs:59999},deeds:{least:3,withinMs:1e4},high_fives:{least:3,withinMs:36e5},followers:{least:3,withinMs:864e5}},Tt=new Set(["level_up","milestone_achieved","challenge_completed"]),Ct=new Map([["high_five","high_fives"],["followed","followers"]]);function Rt({type:i,actor:t,heardAt:e}){if(Tt.has(i))return t?{kind:"deeds",key:`deeds ${t.id}`}:null;let n=i==="workout_completed"&&!t?e===void 0?"minute":"workouts":Ct.get(i);return n?{kind:n,key:n}:null}var Q=({kind:i,events:t})=>i!==""&&t.length>=J[i].least,m=class{all=[];#t;#i=0;constructor(t){this.#t=t}get events(){return this.#i}add(t){let e=this.#s(t,this.all[0],"unshift");return this.#i+=1,{pile:e,cut:this.#e("pop")}}addOlder(t){let e=this.#s(t,this.all[this.all.length-1],"push");return this.#i+=1,{pile:e,cut:this.#e("shift")}}#s(t,e,s){let n=Rt(t);if(e&&n?.key===e.key&&Lt(t,e))return e.events[s](t),e;let o={kind:n?.kind??"",key:n?.key??"",events:[t]};return this.all[s](o),o}#e(t){let e=new Set;for(;this.#i>this.#t;){let s=t==="pop"?this.all[this.all.length-1]:this.all[0];s.events[t](),this.#i-=1,e.add(s),s.events.length||this.all[t]()}return e}};function Lt(i,{kind:t,events:e}){let s=Z(i);return[e[0],e[e.length-1]].every(n=>Math.abs(s-Z(n))<=J[t].withinMs)}var Z=({created_at:i,heardAt:t})=>t??Date.parse(i);var k=class{element=document.createElement("ol");applaud=null;cut=!1;#t;#i;#s=new WeakMap;#e=new WeakMap;#n=new WeakMap;constructor(t){this.#t=t,this.#i=new m(t),this.element.setAttribute("role","list")}get events(){return this.#i.events}clear(){this.#i=new m(this.#t),this.cut=!1,this.element.replaceChildren()}add(t){let e=new Set;for(let s of t){this.#a(s).classList.add("fresh");let{pile:n,cut:o}=this.#i.add(s);for(let r of[n,...o])e.add(r)}for(let s of e)this.#o(s)}addOlder(t){let e=new Set;for(let s of t){let{pile:n,cut:o}=this.#i.addOlder(s);o.size&&(this.cut=!0);for(let r of[n,...o])e.add(r)}for(let s of e)this.#o(s)}tellTimes(){for(let t of this.element.querySelectorAll("time"))t.textContent=v(t.dateTime)}#o(t){let e=this.#n.get(t)??[],s=Q(t)?[this.#d(t)]:t.events.map(o=>this.#a(o));for(let o of e)s.includes(o)||o.remove();this.#n.set(t,s);let n=this.#l(t);for(let o of[...s].reverse())(o.nextSibling!==n||!o.parentNode)&&this.element.insertBefore(o,n),n=o}#l(t){let{all:e}=this.#i;for(let s=e.indexOf(t)+1;s>0&&s<e.length;s+=1){let[n]=this.#n.get(e[s])??[];if(n?.parentNode)return n}return null}#d(t){let e=this.#e.get(t),s=o=>this.#a(o);e&&R(e,t,s);let n=e??G(t,s);return this.#e.set(t,n),n}#a(t){let e=this.#s.get(t)??K(t,this.applaud);return this.#s.set(t,e),e}};var $t=`
  :host {
    --ink: var(--live-ink, light-dark(#14212b, #e8eff4));
    --soft: var(--live-soft, light-dark(#4a5f6d, #9db0bd));
    --card: var(--live-card, light-dark(#fff, #111a22));
    --raised: var(--live-raised, light-dark(#eaf0f3, #18242e));
    --line: var(--live-line, light-dark(#d5dfe5, #22313d));
    --edge: var(--live-edge, light-dark(#788b97, #5d7486));
    --accent: var(--live-accent, light-dark(#00705a, #4fd8b5));
    --accent-ink: var(--live-accent-ink, light-dark(#fff, #04231b));
    --warm: var(--live-warm, light-dark(#8a5200, #ffb84d));
    --cool: var(--live-cool, light-dark(#0a5f9e, #7cc4ff));
    --grape: var(--live-grape, light-dark(#6340c8, #bba6ff));
    --rose: var(--live-rose, light-dark(#ab2261, #ff9ac1));
  }
`,Nt=`
  :host {
    position: relative;
    display: flex;
    flex-direction: column;
    min-height: 0;
    max-height: var(--live-height, 32rem);
    background: var(--card);
    color: var(--ink);
    font: 400 var(--live-text, 0.9375rem) / 1.5 var(--live-font, system-ui, -apple-system, "Segoe UI", sans-serif);
  }
  :host([hidden]), [hidden] { display: none !important; }
  * { box-sizing: border-box; margin: 0; }
  .scroller {
    position: relative; flex: 1; min-height: 0; overflow-y: auto; overflow-anchor: none; scrollbar-width: thin;
  }
  :focus-visible { outline: 2px solid var(--accent); outline-offset: -2px; border-radius: 6px; }
  .unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .notice { padding: 0.4rem 0.3rem; color: var(--soft); font-size: 0.875rem; }
  button { cursor: pointer; color: inherit; font: inherit; }
  .pill {
    position: absolute; z-index: 1; top: 0.4rem; left: 50%; translate: -50%;
    min-height: 2.5rem; padding: 0.2rem 1.1rem; border: 0; border-radius: 99px;
    background: var(--accent); color: var(--accent-ink); font-weight: 650; white-space: nowrap;
    box-shadow: 0 4px 18px rgb(0 0 0 / 30%);
  }
  .skipped {
    display: flex; flex-wrap: wrap; gap: 0.3rem 0.8rem; align-items: center; justify-content: space-between;
    padding: 0.6rem 0.8rem; border-radius: 10px; background: var(--raised); font-size: 0.875rem;
  }
  .skipped span { color: var(--soft); }
  .skipped button, .older {
    min-height: 2.5rem; padding: 0.3rem 0.8rem; border: 1px solid var(--edge); border-radius: 10px; background: none;
  }
  .older { width: 100%; margin-top: 0.4rem; color: var(--soft); }
`,It=`
  ol { padding: 0; list-style: none; }
  .row {
    --hue: var(--accent);
    display: grid; grid-template-columns: 2.5rem minmax(0, 1fr) auto; gap: 0 0.8rem; align-items: start;
    padding: 0.65rem 0.3rem; min-height: 3.8rem;
  }
  li + li { border-top: 1px solid var(--line); }
  .warm { --hue: var(--warm); } .cool { --hue: var(--cool); } .grape { --hue: var(--grape); }
  .rose { --hue: var(--rose); } .soft { --hue: var(--soft); }
  .picture {
    position: relative; display: grid; grid-row: span 2; align-self: start; place-items: center;
    width: 2.5rem; height: 2.5rem; border-radius: 12px; color: var(--hue);
    background: color-mix(in srgb, var(--hue) 14%, transparent);
  }
  .picture svg { width: 1.35rem; height: 1.35rem; }
  .badge {
    position: absolute; right: -0.45rem; bottom: -0.4rem; min-width: 1.3rem; padding: 0 0.3rem;
    border: 2px solid var(--card); border-radius: 99px; background: var(--hue); color: var(--card);
    font-size: 0.72rem; font-weight: 700; line-height: 1.15rem; text-align: center; font-variant-numeric: tabular-nums;
  }
  .big .title { color: var(--hue); font-weight: 650; }
  .title { overflow-wrap: anywhere; }
  .row:not(:has(.detail)) > .title { grid-row: span 2; align-self: center; }
  time { padding-top: 0.15rem; color: var(--soft); font-size: 0.8rem; white-space: nowrap; text-align: right; }
  .detail { grid-column: 2 / -1; color: var(--soft); font-size: 0.875rem; overflow-wrap: anywhere; }
  .row:has(.five) > .detail { grid-column: 2; }
  .five { grid-column: 3; grid-row: 2; justify-self: end; display: inline-flex; gap: 0.3rem; align-items: center; }
  .five svg { width: 1.1rem; height: 1.1rem; }
  span.five { color: var(--soft); font-size: 0.8rem; }
  button.five {
    min-width: 2.75rem; min-height: 2rem; padding: 0 0.55rem; justify-content: center;
    border: 1px solid var(--edge); border-radius: 99px; background: none; color: var(--soft); font-size: 0.8rem;
  }
  button.five:hover { border-color: var(--warm); color: var(--warm); }
  button.five[aria-pressed="true"] {
    border-color: var(--warm); background: color-mix(in srgb, var(--warm) 14%, transparent); color: var(--warm);
    cursor: default;
  }
`,Pt=`
  summary { cursor: pointer; list-style: none; }
  summary::-webkit-details-marker { display: none; }
  summary .picture { box-shadow: -4px -4px 0 -1px color-mix(in srgb, var(--hue) 22%, var(--card)); }
  summary .title::after { content: " \u25BE"; color: var(--soft); }
  details[open] summary .title::after { content: " \u25B4"; }
  details ol { margin-left: 1rem; padding-left: 0.6rem; border-left: 2px solid var(--line); }
  .fresh > * { animation: arrive 0.5s ease-out, settle 2.4s ease-out; }
  @keyframes arrive { from { opacity: 0; transform: translateY(-0.6rem); } }
  @keyframes settle { from { background: color-mix(in srgb, var(--hue, var(--accent)) 16%, transparent); } }
  @media (prefers-reduced-motion: reduce) { .fresh > * { animation: none; } }
`,L=new CSSStyleSheet;L.replaceSync($t+Nt+It+Pt);var tt=200,jt=100,Bt=8,Ft=2e3,Vt=4e3,Dt=2e4,Ht="300px",w=class extends HTMLElement{#t=null;#i=null;#s=null;#e=0;#n=0;#o=new Set;#l;#d=[];#a=0;#u=!1;#g=0;#v={};#c=new k(tt);#h=g("div","scroller");#w=g("div","skipped");#m=g("p","notice");#f=g("p","unseen");#p=$("pill",()=>this.#k());#b=$("older",()=>this.#N());#r=new IntersectionObserver(([t])=>t.isIntersecting&&this.#N(),{root:this.#h,rootMargin:Ht});connectedCallback(){this.shadowRoot||this.#C(this.attachShadow({mode:"open"})),this.#l=setInterval(()=>this.#V(),Dt)}disconnectedCallback(){clearInterval(this.#l),this.stop()}follow(t){this.#i?.unsubscribe(),this.#t=t,this.#c.applaud=t.highFive?e=>this.#F(e):null,this.#$(t)}stop(){this.#e+=1;for(let t of this.#o)clearTimeout(t);this.#o.clear(),this.#i?.unsubscribe(),this.#i=null,this.#B(),this.#x({endCursor:null,hasNextPage:!1}),delete this.dataset.state}#C(t){t.adoptedStyleSheets=[L],this.#h.tabIndex=0,this.#h.setAttribute("role","group"),this.#h.setAttribute("aria-label",this.getAttribute("label")??"Events"),this.#h.addEventListener("scroll",()=>this.#T(),{passive:!0}),this.#f.setAttribute("role","status"),this.#m.setAttribute("role","status"),this.#m.textContent="Loading\u2026",this.#b.textContent="Show older";for(let e of[this.#b,this.#p,this.#w])e.hidden=!0;this.#h.append(this.#w,this.#c.element,this.#b),t.append(this.#p,this.#m,this.#h,this.#f),this.#r.observe(this.#b)}async#$(t){let e=++this.#e;this.#n=Date.now();let s;try{s=await t.page(null)}catch(n){if(e!==this.#e)return;this.#L(y(n)),this.#_(Vt,e,()=>this.#E());return}e===this.#e&&(this.#B(),this.#c.addOlder(s.edges.map(({node:n})=>et(n))),this.#x(s.pageInfo),this.#h.scrollTop=0,this.#j(),this.#i=t.client.subscribe(t.channel,{since:s.position,token:t.token,event:n=>{e===this.#e&&this.#M(n)},digest:n=>{e===this.#e&&this.#P(n)},joined:()=>{e===this.#e&&(this.dataset.state="live")},lost:()=>{e===this.#e&&this.#S(e)},refused:n=>{e===this.#e&&this.#L(`This feed cannot be followed (${n}).`)}}))}#S(t){this.dataset.state="loading";let e=Math.max(0,this.#n+Ft-Date.now())*(.5+Math.random());this.#_(e,t,()=>this.#E())}#_(t,e,s){let n=setTimeout(()=>{this.#o.delete(n),e===this.#e&&s()},t);this.#o.add(n)}#E(){this.#i?.unsubscribe(),this.#t&&this.#$(this.#t)}async#N(){let t=this.#b;if(!this.#t||t.disabled||t.hidden)return;let e=this.#e;t.disabled=!0;try{let s=await this.#t.page(this.#s);if(e!==this.#e)return;this.#I(()=>this.#c.addOlder(s.edges.map(({node:n})=>et(n)))),this.#x(s.pageInfo),this.#T(),this.#r.unobserve(t),this.#r.observe(t)}catch(s){e===this.#e&&this.#L(y(s))}finally{t.disabled=!1}}#I(t){let e=this.#c.element.lastElementChild,s=e?.getBoundingClientRect().top??0;t(),e?.isConnected&&(this.#h.scrollTop+=e.getBoundingClientRect().top-s)}#x({endCursor:t,hasNextPage:e}){this.#s=t,this.#b.hidden=!e}#M(t){this.#d.push({...t,heardAt:Date.now()}),this.#a+=1,this.#d.length>tt&&this.#d.shift(),this.dispatchEvent(new CustomEvent("row",{detail:t})),!this.#u&&(this.#u=!0,this.#_(jt,this.#e,()=>this.#O()))}#O(){this.#u=!1,this.#A&&this.#d.length===this.#a?(this.#c.add(this.#d),this.#g+=this.#a,this.#d=[],this.#a=0,this.#j()):this.#A&&this.#S(this.#e),this.#y()}#P({counts:t,events:e}){let s={...t};for(let{event:n}of e??[])this.#M(n),s[n.type]=(s[n.type]??0)-1;for(let[n,o]of Object.entries(s))o>0&&(this.#v[n]=(this.#v[n]??0)+o);this.#R()}#R(){let t=Object.values(this.#v).reduce((o,r)=>o+r,0);this.#w.hidden=t===0;let e=document.createElement("p"),s=document.createElement("span");e.textContent=`${a(t,"more event")} went by `,s.textContent=U(this.#v),e.append(s);let n=$("",()=>this.#E());n.textContent="Show the newest",this.#w.replaceChildren(e,n)}get#A(){return this.#h.scrollTop<=Bt&&!this.#c.cut}#T(){this.#A&&this.#a?this.#O():this.#y()}#y(){this.#p.hidden=!this.#a&&!this.#c.cut,this.#p.textContent=this.#a?a(this.#a,"new event"):"Back to the newest"}#k(){this.#h.focus({preventScroll:!0}),this.#c.cut?this.#E():this.#h.scrollTop=0,this.#T()}async#F(t){try{let e=await this.#t?.highFive?.(t.id);return e?(t.highFives=e.highFives,t.highFived=!0,this.#j(),!0):!1}catch(e){return this.#L(y(e)),!1}}#V(){this.#c.tellTimes(),this.#g&&(this.#f.textContent=a(this.#g,"new event")),this.#g=0}#B(){this.#c.clear(),this.#d=[],this.#a=0,this.#u=!1,this.#v={},this.#R(),this.#y()}#j(){this.#L(this.#c.events?"":this.getAttribute("empty")??"Nothing yet.")}#L(t){this.#m.textContent=t,this.#m.hidden=!t}};function et({createdAt:i,...t}){return{...t,created_at:i}}function g(i,t){let e=document.createElement(i);return e.className=t,e.setAttribute("part",t),e}function $(i,t){let e=g("button",i);return e.setAttribute("type","button"),e.addEventListener("click",t),e}customElements.define("live-feed",w);function it(i,t){return t*Math.min(3e4,1e3*2**Math.min(i,16))}var Ut=new Set([1e3,1002,1003,1007,1009]);function N(i){return!Ut.has(i)&&!(i>=4500&&i<=4999)}var _=class{#t=0;#i=new Map;show(t,e){let s=this.#t===t?this.#i:null;this.#t=t,this.#i=new Map(e.map(n=>[n,s?.get(n)??{version:null,cells:new Map}]))}receive({tile:t,version:e,whole:s,resolution:n,cells:o}){let r=this.#i.get(t);if(!r||n!==this.#t)return!1;if(s)r.cells=new Map(o.filter(([,h])=>h>0));else{if(r.version===null||e<=r.version)return!1;if(e!==r.version+1)return r.version=null,!1;for(let[h,d]of o)d>0?r.cells.set(h,d):r.cells.delete(h)}return r.version=e,!0}snapshot(){let t=new Map;for(let e of this.#i.values())for(let[s,n]of e.cells)t.set(s,n);return{resolution:this.#t,cells:t}}};var Wt=new Set(["UNAVAILABLE","RATE_LIMITED"]),E=class{#t;#i;#s="idle";#e;#n=0;#o;#l=!1;#d=!1;#a=0;constructor(t,e,s){this.channel=t,this.#t=e,this.#i=s,this.#e=e.since?{...e.since}:null,this.#d=!!e.state&&!e.since}get position(){return this.#e&&{...this.#e}}unsubscribe(){(this.#s==="live"||this.#s==="joining")&&this.#i.ask({type:"unsubscribe",channel:this.channel},()=>{}),this.end(),this.#i.forget(this)}async join(){if(this.#s==="ended")return;this.#p(),this.#s="joining";let t=++this.#a,e={type:"subscribe",channel:this.channel};try{this.#d&&this.#t.state&&await this.#g(this.#t.state,t),this.#t.token&&this.#u(t)&&(e.token=await this.#t.token(this.#l))}catch{this.#u(t)&&this.#f();return}this.#u(t)&&(this.#e&&(e.since=this.#e),this.#i.ask(e,s=>{this.#u(t)&&(s.type==="subscribed"?this.#v(s):s.type!=="error"?this.#m(s.type==="unsubscribed"?s.reason:void 0):Wt.has(s.code)?this.#f(s.retry_after_ms):this.#m(s.code))}))}receive(t){this.#s==="ended"||this.#d||(t.type==="event"?this.#c(t.event,t.offset):t.type==="digest"?this.#h(t):t.type==="gap"?this.#f():t.type==="unsubscribed"&&this.#w(t.reason))}disconnected(){this.#p(),this.#s!=="ended"&&(this.#s="idle")}end(){this.#p(),this.#s="ended"}#u(t){return t===this.#a&&this.#s==="joining"}async#g(t,e){let{epoch:s,offset:n}=await t(this.position);this.#u(e)&&(this.#e={epoch:s,offset:n},this.#d=!1)}#v({epoch:t,offset:e,recovered:s,events:n}){if(this.#s="live",this.#o=setTimeout(()=>this.#n=0,1e4),this.#l=!1,s===!1&&this.#t.state)return this.#d=!0,this.#f();if(s===!1){this.#e={epoch:t,offset:e},this.#t.lost?.({epoch:t,offset:e});return}let o=this.#e??={epoch:t,offset:e};for(let r of n)this.#c(r.event,r.offset);this.#s==="live"&&this.#t.joined?.({...o})}#c(t,e){!this.#e||e<=this.#e.offset||(e===this.#e.offset+1?(this.#e.offset=e,this.#t.event?.(t,e)):this.#s==="live"&&this.#f())}#h(t){!this.#e||t.to<=this.#e.offset||(t.from<=this.#e.offset+1?(this.#e.offset=t.to,this.#t.digest?.(t)):this.#s==="live"&&this.#f())}#w(t){t==="token_expired"&&this.#t.token?(this.#l=!0,this.#f()):this.#m(t)}#m(t){this.end(),this.#i.forget(this),this.#t.refused?.(t)}#f(t){this.#p(),this.#s="waiting";let e=t??Math.random()*Math.min(15e3,500*2**Math.min(this.#n,8));this.#n+=1,this.#o=setTimeout(()=>this.join(),e)}#p(){clearTimeout(this.#o),this.#o=void 0}};var S=class{#t=new Map;has(t){return this.#t.has(t)}set(t,e,s){this.clear(t),this.#t.set(t,setTimeout(()=>(this.#t.delete(t),s()),e))}soon(t,e,s){this.has(t)||this.set(t,e,s)}clear(t){clearTimeout(this.#t.get(t)),this.#t.delete(t)}clearAll(){for(let t of this.#t.values())clearTimeout(t);this.#t.clear()}};var zt="musclemap.v1",Kt=15e3,Gt=1e4,Xt=250,Zt=250,nt=3e3,Jt=1e4,Qt=3e5,te=6e4,ee=2**31-1,x=class extends EventTarget{#t;#i;#s;#e=null;#n="stopped";#o=0;#l=0;#d=!1;#a=null;#u=null;#g=!1;#v=1;#c=new Map;#h=new Map;#w=new _;#m=null;#f={};#p=!1;#b=3e4;#r=new S;constructor(t,{token:e=async()=>null,WebSocket:s=globalThis.WebSocket}={}){super(),this.#t=t,this.#i=e,this.#s=s}get state(){return this.#n}start(){this.#n==="stopped"&&(this.#o?this.#S():this.#C())}stop({leave:t=!1}={}){t&&this.#x({type:"leave"}),this.#E(1e3),this.#a=null,this.#o=0,this.#y("stopped")}restart(){this.stop({leave:!0}),this.start()}hurry(){this.#n==="waiting"&&this.#u===null&&!this.#g?this.#C():this.#n==="open"?this.#P():this.#r.has("deadline")&&this.#r.set("deadline",nt,()=>this.#_())}subscribe(t,e={}){let s=new E(t,e,{ask:(n,o)=>this.#M(n,o),forget:n=>{this.#h.get(t)===n&&this.#h.delete(t)}});return this.#h.get(t)?.end(),this.#h.set(t,s),this.#n==="open"&&s.join(),s}setViewport(t){this.#m=t,this.#n==="open"&&this.#r.soon("viewport",Zt,()=>this.#A())}setPresence(t){("lat"in t||"cell"in t)&&(this.#p=!1),Object.assign(this.#f,t),this.#n==="open"&&this.#r.soon("presence",Xt,()=>this.#O())}async#C(){this.#r.clear("return"),this.#y("connecting");let t=++this.#l,e={},s="";try{if(s=typeof this.#t=="string"?this.#t:await this.#t(),t!==this.#l)return;if(this.#a)e.resume=this.#a;else{let o=await this.#i(this.#d);o&&(e.token=o)}}catch{t===this.#l&&this.#S();return}if(t!==this.#l)return;this.#d=!1;let n=new this.#s(s,[zt]);this.#e=n,n.onopen=()=>{let o=this.#f.background?{background:!0}:{};n.send(JSON.stringify({type:"connect",...e,...o}))},n.onmessage=({data:o})=>{t===this.#l&&this.#N(JSON.parse(o))},n.onclose=({code:o})=>{t===this.#l&&this.#$(o)},this.#r.set("deadline",Kt,()=>this.#_())}#$(t){return this.#E(),t===4001&&(this.#d=!0),(t===4001||!N(t))&&(this.#a=null),this.#g=!N(t),this.#g?(this.#o+=1,this.#y("stopped",{code:t})):this.#S(t)}#S(t){let e=this.#u??it(this.#o,Math.random());this.#o+=1,this.#y("waiting",{retryInMs:e,code:t}),this.#r.set("return",e,()=>{this.#u=null,this.#C()})}#_(){this.#E(4e3),this.#S(1006)}#E(t){this.#l+=1,this.#r.clearAll(),this.#c.clear();for(let s of this.#h.values())s.disconnected();let e=this.#e;this.#e=null,t&&e&&e.readyState<=1&&e.close(t)}#N(t){let e=Number(t.id),s=this.#c.get(e);if(s){this.#c.delete(e),s(t);return}switch(t.type){case"welcome":return this.#I(t);case"event":case"digest":case"gap":case"unsubscribed":return this.#h.get(t.channel)?.receive(t);case"map":this.#w.receive(t)&&this.#r.soon("draw",0,()=>this.#k("map",this.#w.snapshot()));return;case"pace":return this.#b=t.heartbeat_s*1e3,this.#R();case"refreshed":return this.#T(t.expires_in_s);case"reconnect":this.#u=t.after_ms;return;case"status":case"online":case"presence":case"error":return this.#k(t.type,t);default:return}}#I(t){this.#r.clear("deadline"),this.#r.set("stable",Jt,()=>this.#o=0),this.#g=!1,this.#u=null,this.#a=t.resume??null,this.#b=t.heartbeat_s*1e3,this.#p=!1,this.#y("open"),this.#k("welcome",t),this.#k("status",{degraded:t.degraded}),this.#T(t.expires_in_s);for(let e of this.#h.values())e.join();this.#A(),this.#O()}#x(t){this.#e?.readyState===1&&this.#n==="open"&&this.#e.send(JSON.stringify(t))}#M(t,e){let s=this.#v++;this.#c.set(s,e),this.#x({...t,id:s})}#O(){if(this.#n!=="open")return;let{lat:t,lng:e,cell:s,...n}=this.#f,o=this.#p?{}:s?{cell:s}:t===void 0?{}:{lat:t,lng:e};this.#p=!0,this.#r.set("ack",Gt,()=>this.#_()),this.#M({type:"heartbeat",...n,...o},r=>{this.#r.clear("ack"),r.type==="error"&&this.#k("error",r)}),this.#R()}#P(){this.#r.has("proof")||(this.#r.set("proof",nt,()=>this.#_()),this.#M({type:"ping"},()=>this.#r.clear("proof")))}#R(){this.#r.set("heartbeat",this.#b,()=>this.#O())}#A(){!this.#m||this.#n!=="open"||this.#M({type:"viewport",...this.#m},t=>{t.type==="viewport"?this.#w.show(t.resolution,t.tiles):t.type==="error"&&t.retry_after_ms?this.#r.soon("viewport",t.retry_after_ms,()=>this.#A()):this.#k("error",t)})}#T(t){if(t===void 0)return;let e=Math.max(te,t*1e3-Qt);this.#r.set("refresh",Math.min(e,ee),async()=>{let s=this.#l,n=await this.#i(!0).catch(()=>null);n&&s===this.#l&&this.#x({type:"refresh",token:n})})}#y(t,e={}){this.#n=t,this.#k("state",{state:t,...e})}#k(t,e){this.dispatchEvent(new CustomEvent(t,{detail:e}))}};var ne={unreachable:(i,t)=>`${t} cannot be reached. It is tried again.`,policy:(i,t)=>`This page's Content-Security-Policy forbids it: connect-src must name ${t} and ${oe(t)}, or where the gateway is.`,origin:(i,t)=>`Pages of ${i} may not connect to ${t}. Whoever runs it allows them by a widget token (python -m api.apps widget-token --origin ${i}), or names ${i} in ALLOWED_ORIGINS.`,missing:i=>`Pages of ${i} need a widget token: give it to one widget of the page as its attribute token.`,wrong:i=>`The widget token is not one for pages of ${i}. A token is made for one origin: python -m api.apps widget-token --origin ${i}`,ended:i=>`The widget token has ended. A new one: python -m api.apps widget-token --origin ${i}`,revoked:i=>`The widget token was taken back. A new one: python -m api.apps widget-token --origin ${i}`},ot=(i,t,e)=>ne[i](t,new URL(e).origin);function rt(i,t,e){return i===4503?"revoked":i!==4500?null:e?"ended":t?"wrong":"missing"}var oe=i=>i.replace(/^http/,"ws");var p=new URL("..",STATIC_FILES).href,I=class extends EventTarget{kinds=new Set;client;refusal=null;opened;#t=!1;#i=new Set([new URL(p).hostname]);constructor(t){super(),this.token=t,this.client=new x(()=>this.#s(),{token:async e=>this.#e(e)}),this.opened=new Promise(e=>{this.client.addEventListener("welcome",()=>e(),{once:!0})}),this.client.addEventListener("welcome",()=>this.#o(null)),this.client.addEventListener("state",e=>{!(e instanceof CustomEvent)||e.detail.state!=="stopped"||this.#o(rt(e.detail.code,t!==null,this.#t)??this.refusal)}),document.addEventListener("securitypolicyviolation",this.#n),this.client.setPresence({background:document.hidden}),this.client.start()}close(){document.removeEventListener("securitypolicyviolation",this.#n),this.client.stop()}async#s(){let t;try{t=await fetch(new URL("config.json",p),{credentials:"omit"})}catch(n){throw this.refusal!=="policy"&&this.#o("unreachable"),n}let{rtUrl:e,mayConnect:s}=await t.json();if(s===!1)throw this.#o("origin"),new Error("this origin may not connect");return this.#i.add(new URL(e).hostname),e}#e(t){return this.#t||=t,this.#t?null:this.token}#n=({effectiveDirective:t,blockedURI:e})=>{t==="connect-src"&&URL.canParse(e)&&this.#i.has(new URL(e).hostname)&&this.#o("policy")};#o(t){t!==this.refusal&&(this.refusal=t,this.dispatchEvent(new CustomEvent("refusal",{detail:t})))}},b=new Set;function at(i,t){let s=[...b].find(n=>n.token===t&&!n.kinds.has(i))??new I(t);return s.kinds.add(i),b.add(s),s}function ht(i,t){i.kinds.delete(t),!i.kinds.size&&(b.delete(i),i.close())}for(let i of["online","offline"])addEventListener(i,()=>b.forEach(({client:t})=>t.hurry()));document.addEventListener("visibilitychange",()=>{for(let{client:i}of b)i.setPresence({background:document.hidden}),document.hidden||i.hurry()});var lt=`/*
 * The colours and measures of every page, in both schemes. The plain words on --ground, --card and --raised have at
 * least 4.5:1 in each; the hues (--accent to --rose) too. Values are plain, for a canvas to read.
 */
:root {
  --ground: #0a1016;
  --card: #111a22;
  --raised: #18242e;
  --line: #22313d;
  --edge: #5d7486; /* of what is operated: 3:1 on a card */
  --ink: #e8eff4;
  --soft: #9db0bd;
  --accent: #4fd8b5;
  --accent-ink: #04231b;
  --warm: #ffb84d;
  --cool: #7cc4ff;
  --grape: #bba6ff;
  --rose: #ff9ac1;
  --bad: #ff8a7a;
  --shadow: rgb(0 0 0 / 45%);
  --map-sea: #0c151d;
  --map-land: #1b2a35;
  --map-coast: #2b3f4d;
  --map-lines: #13202a;
  --map-people: #4fd8b5;
  --map-here: #ffb84d;
  --map-ink: #04231b;
  --radius: 14px;
  --radius-small: 10px;
  --space: 1rem;
  --side: clamp(0.75rem, 3vw, 2rem); /* what a page leaves at its sides */
  --text: 0.9375rem;
  --text-small: 0.875rem;
  --text-tiny: 0.8rem;
  --top: 3.9rem; /* the height of the page's head where it is one line */
  --target: 2.5rem; /* the least height of what is pressed */
  --sans: system-ui, -apple-system, "Segoe UI", roboto, "Liberation Sans", sans-serif;
  color-scheme: dark;
}

@media (prefers-color-scheme: light) {
  :root {
    --ground: #f1f5f7;
    --card: #fff;
    --raised: #eaf0f3;
    --line: #d5dfe5;
    --edge: #788b97;
    --ink: #14212b;
    --soft: #4a5f6d;
    --accent: #00705a;
    --accent-ink: #fff;
    --warm: #8a5200;
    --cool: #0a5f9e;
    --grape: #6340c8;
    --rose: #ab2261;
    --bad: #b3261e;
    --shadow: rgb(20 40 55 / 16%);
    --map-sea: #dbe7ee;
    --map-land: #f7f9f8;
    --map-coast: #b6c6d0;
    --map-lines: #cfdde6;
    --map-people: #00705a;
    --map-here: #b35c00;
    --map-ink: #fff;
    color-scheme: light;
  }
}
`;var ae=`
  :host { display: block; position: relative; }
  :host([hidden]), [hidden] { display: none !important; }
  .refusal {
    margin: 0; padding: 0.7rem 0.9rem; border: 1px solid var(--bad); border-radius: var(--radius-small);
    background: var(--card); color: var(--ink); font: 400 var(--text-small) / 1.5 var(--sans); overflow-wrap: anywhere;
  }
  .refusal strong { display: block; color: var(--bad); }
`,he=/color-scheme: \w+;/g,M=class extends HTMLElement{static observedAttributes=["token"];#t=null;#i=document.createElement("p");#s=()=>this.#l();get kind(){return this.localName}connectedCallback(){this.shadowRoot||this.#e(this.attachShadow({mode:"open"})),this.#n()}disconnectedCallback(){this.#o()}attributeChangedCallback(){this.#t&&(this.#o(),this.#n())}build(t){}attach(t){}detach(){}#e(t){t.adoptedStyleSheets=[le(de(this)),ct(ae)],this.#i.className="refusal",this.#i.setAttribute("part","refusal"),this.#i.setAttribute("role","alert"),this.#i.hidden=!0,t.append(this.#i),this.build(t)}#n(){let t=this.getAttribute("token")||ce();this.#t=at(this.kind,t),this.#t.addEventListener("refusal",this.#s),this.#l(),this.attach(this.#t)}#o(){this.#t&&(this.detach(),this.#t.removeEventListener("refusal",this.#s),ht(this.#t,this.kind),this.#t=null)}#l(){let t=this.#t?.refusal??null;if(this.#i.hidden=t===null,t===null)return;let e=ot(t,location.origin,p),s=document.createElement("strong");s.textContent="Not live.",this.#i.replaceChildren(s,e),this.dispatchEvent(new CustomEvent("refused",{detail:{reason:t,message:e}}))}};function ct(i){let t=new CSSStyleSheet;return t.replaceSync(i),t}function le(i){return ct(lt.replaceAll(":root",":host").replace("(prefers-color-scheme: light)",i?"all":"not all").replaceAll(he,""))}function ce(){return document.querySelector("community-feed[token], presence-map[token]")?.getAttribute("token")||null}function de(i){let t=document.createElement("i");t.style.color="light-dark(#000, #fff)",i.shadowRoot?.append(t);let e=getComputedStyle(t).color;return t.remove(),e==="rgb(0, 0, 0)"}var ue="scroller, row, picture, badge, title, detail, time, five, pill, skipped, notice, older",fe="Community events",pe="Quiet so far. The next workout appears here.",P=class extends M{#t=new w;build(t){this.#t.setAttribute("label",this.getAttribute("label")??fe),this.#t.setAttribute("empty",this.getAttribute("empty")??pe),this.#t.setAttribute("exportparts",ue),t.append(this.#t)}attach(t){let e=this.hasAttribute("since-page");this.#t.follow({client:t.client,channel:"community",page:async s=>e?ge(t,s):me})}detach(){this.#t.stop()}},me={edges:[],pageInfo:{endCursor:null,hasNextPage:!1}};async function ge(i,t){await i.opened;let e=fetch(new URL("api/graphql",p),{method:"POST",credentials:"omit",headers:{"Content-Type":"application/json"},body:JSON.stringify({query:F,variables:{after:t,mine:!1}})}),{data:s,errors:n}=await e.then(o=>o.json()).catch(()=>({}));if(!s)throw new Error(n?.[0]?.message??"The server cannot be reached. Try again in a moment.");return s.feed}customElements.define("community-feed",P);export{P as CommunityFeed};
